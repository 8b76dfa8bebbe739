int value = 1;
int nowhere(void);
int main(void) { return nowhere(); }
