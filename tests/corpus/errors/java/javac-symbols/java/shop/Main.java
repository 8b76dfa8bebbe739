package shop;

public class Main {
    public static void main(String[] args) {
        Price price = new Price();
        int total = "three";
    }
}
