#include <list>
#include <algorithm>

void sort_prices(std::list<int> &prices) {
    std::sort(prices.begin(), prices.end());
}
