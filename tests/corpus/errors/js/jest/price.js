exports.total = (each, count) => each + count;
