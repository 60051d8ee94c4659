// The library that the probe needs, by version.
int dep_data = 77;
int dep_value(int value) { return value + 923 + dep_data; }
