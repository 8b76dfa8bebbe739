package main

import "example.com/nosuch"

func main() { nosuch.Call() }
