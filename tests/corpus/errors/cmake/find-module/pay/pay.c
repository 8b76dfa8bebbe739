int pay(void) { return 0; }
