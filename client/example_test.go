package client_test

import (
	"context"
	"fmt"
	"log"

	"edgechat/client"
)

func Example() {
	ctx := context.Background()
	room, err := client.Join(ctx, client.Config{URL: "http://pi.local:3000", Room: "den", Username: "shed"})
	if err != nil {
		log.Fatal(err) // refused: another try would not help
	}
	defer room.Close()
	go func() {
		ack, err := room.Publish(ctx, "the door is open")
		log.Print(ack.ID, err)
	}()
	for event, err := range room.Events() {
		if err != nil {
			log.Fatal(err)
		}
		if event.Type == client.Message {
			fmt.Println(event.Username, event.Content)
		}
	}
}
