package shop;

import static org.mockito.ArgumentMatchers.anyInt;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.when;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.mockito.Mock;
import org.mockito.junit.jupiter.MockitoExtension;

@ExtendWith(MockitoExtension.class)
class CheckoutTest {
    @Mock
    List<String> basket;

    @Test
    void first() {
        when(basket.get(anyInt())).thenThrow(new IllegalStateException("the basket is closed"));
        new Checkout(basket).first();
    }

    @Test
    void clears() {
        new Checkout(basket);
        verify(basket).clear();
    }

    @Test
    void unused() {
        when(basket.size()).thenReturn(3);
        new Checkout(basket);
    }
}
