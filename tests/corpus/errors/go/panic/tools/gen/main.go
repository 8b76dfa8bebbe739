package main

import (
	"fmt"
	"strings"
)

func main() {
	fmt.Println(rows(nil))
}

func rows(names map[string]int) string {
	names["first"] = 1
	return strings.Repeat("x", names["first"])
}
