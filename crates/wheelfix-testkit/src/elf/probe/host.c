// Loads the library named by the first argument and lets it examine itself.
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
    void *handle = argc > 1 ? dlopen(argv[1], RTLD_NOW) : 0;
    if (!handle) {
        fprintf(stderr, "dlopen: %s\n", argc > 1 ? dlerror() : "no argument");
        return 100;
    }
    int (*probe)(void *, char **, int) = (int (*)(void *, char **, int))dlsym(handle, "probe");
    if (!probe) {
        fprintf(stderr, "dlsym: %s\n", dlerror());
        return 101;
    }
    int failed = probe(handle, argv + 2, argc - 2);
    if (failed) return failed;
    if (dlclose(handle)) return 102;
    return 0;
}
