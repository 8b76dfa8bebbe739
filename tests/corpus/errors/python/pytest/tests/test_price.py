from app.price import total


def test_total():
    assert total(1, 1) == 2


def test_types():
    total("1", 1)
