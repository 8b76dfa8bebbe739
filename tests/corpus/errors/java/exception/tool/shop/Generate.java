package shop;

import java.util.List;

public class Generate {
    public static void main(String[] args) {
        write(List.of());
    }

    static void write(List<String> rows) {
        System.out.println(rows.get(0));
    }
}
