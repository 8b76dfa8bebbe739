package shop

import "testing"

func TestStock(t *testing.T) {
	for step := 1; step <= 20; step++ {
		t.Logf("step %d", step)
	}
}

func TestTotal(t *testing.T) {
	t.Run("two", func(t *testing.T) {
		t.Log("two of two")
		if got := Total(2, 2); got != 4 {
			t.Errorf("got %d, want 4", got)
		}
	})
	t.Run("three", func(t *testing.T) {
		if got := Total(2, 3); got != 6 {
			t.Errorf("got %d, want 6", got)
		}
	})
}

func TestShelves(t *testing.T) {
	t.Parallel()
	t.Log("shelves are counted")
}

func TestPrices(t *testing.T) {
	t.Parallel()
	t.Fatal("no prices")
}
