package refusal

import "testing"

func TestCounts(t *testing.T) {
	var c Counts
	c.Add(Forbidden)
	c.Add(Forbidden)
	c.Add("nonsense")
	got := c.Read()
	if len(got) != len(codes) || got[Forbidden] != 2 || got[Internal] != 1 || got[NotFound] != 0 {
		t.Errorf("%v", got)
	}
	if n := testing.AllocsPerRun(100, func() { c.Add(TooLarge) }); n != 0 {
		t.Errorf("counting allocates %v times", n)
	}
}

func TestCloseCounts(t *testing.T) {
	var c CloseCounts
	for _, code := range []uint16{CloseNormal, CloseTryAgainLater, CloseTryAgainLater, 4000, 4999, 0} {
		c.Add(code)
	}
	got := c.Read()
	if len(got) != len(closeCodes)+1 || got[CloseNormal] != 1 || got[CloseTryAgainLater] != 2 || got[0] != 2 || got[noStatus] != 1 {
		t.Errorf("%v", got)
	}
}
