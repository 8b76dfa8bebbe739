#include "../include/shop/price.hpp"

int main() { return Price{}.cents; }
