package shop;

public class Main {
    public static void main(String[] args) {
        Price price = new Price("three");
        System.out.println(price.total())
    }
}
