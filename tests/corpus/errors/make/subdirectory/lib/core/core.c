int core(void) {
    return depth;
}
