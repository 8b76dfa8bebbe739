package shop;

import org.springframework.stereotype.Service;

@Service
public class Checkout {
    private final Rates rates;

    public Checkout(Rates rates) {
        this.rates = rates;
    }
}
