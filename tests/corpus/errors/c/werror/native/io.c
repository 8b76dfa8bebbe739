int read_all(const char *path, int limit) {
    int unused = 3;
    return limit;
}
