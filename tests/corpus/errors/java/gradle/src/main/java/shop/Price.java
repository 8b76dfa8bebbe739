package shop;

public class Price {
    int total() { return missing; }
}
