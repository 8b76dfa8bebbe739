package shop

// Total is what so many cost.
func Total(each, count int) int {
	return each + count
}
