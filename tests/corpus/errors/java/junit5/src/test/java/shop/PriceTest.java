package shop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class PriceTest {
    @Test
    void total() {
        assertEquals(6, new Price().total(2, 3));
    }

    @Test
    void many() {
        assertThat(new Price().total(5, 3)).isEqualTo(15);
    }

    @Test
    void none() {
        assertThrows(IllegalArgumentException.class, () -> new Price().total(5, 0));
    }
}
