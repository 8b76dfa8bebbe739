package shop;

import org.springframework.stereotype.Service;

@Service
public class Rates {
    public Rates() {
        load(null);
    }

    private void load(String file) {
        System.out.println(file.length());
    }
}
