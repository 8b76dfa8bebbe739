package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println(total)
	var count int = "three"
}
