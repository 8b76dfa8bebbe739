package shop;

public interface Rates {
    int percent(String country);
}
