package shop;

import java.util.List;

public class Checkout {
    private final List<String> basket;

    public Checkout(List<String> basket) {
        this.basket = basket;
    }

    public String first() {
        return basket.get(0).trim();
    }
}
