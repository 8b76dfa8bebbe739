/* twice as much */
#include "config.h"
int twice(int n) { return FACTOR * n; }
