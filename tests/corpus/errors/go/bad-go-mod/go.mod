module example.com/shop

requir example.com/other v1.0.0
