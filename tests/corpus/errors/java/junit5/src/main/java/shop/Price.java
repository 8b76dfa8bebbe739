package shop;

public class Price {
    public int total(int each, int count) {
        return each + count;
    }
}
