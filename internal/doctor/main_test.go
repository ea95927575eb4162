package doctor

import (
	"testing"

	"edgechat/internal/edgetest"
)

func TestMain(m *testing.M) { edgetest.Main(m) }
