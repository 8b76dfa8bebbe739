#pragma once

struct Price {
    string currency;
    int cents
};
