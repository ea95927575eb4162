//go:build !linux

package store

import (
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"time"
)

// deviceAndInode returns what the system has of both.
func deviceAndInode(_ *os.File, info fs.FileInfo) []string {
	v := reflect.Indirect(reflect.ValueOf(info.Sys()))
	if v.Kind() != reflect.Struct {
		return nil
	}
	if dev, ino := v.FieldByName("Dev"), v.FieldByName("Ino"); dev.IsValid() && ino.IsValid() {
		return []string{fmt.Sprint(dev, "/", ino)}
	}
	return nil
}

func changed(info fs.FileInfo) time.Time { return info.ModTime() }
