package price

import "fmt"

// Print prints.
func Print(cents string) {
	fmt.Printf("%d\n", cents)
}
