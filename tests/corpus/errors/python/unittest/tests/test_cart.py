import unittest


class CartTest(unittest.TestCase):
    def test_empty(self):
        self.assertEqual(len([1]), 0)
