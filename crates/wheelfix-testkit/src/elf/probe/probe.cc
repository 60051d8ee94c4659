// A program or library that examines itself after an edit.
//
// `probe(handle, names, count)` returns 0, or the number of the first check that failed, after it
// printed what it found. Built as a library it is called by host.c; with -DPROBE_MAIN it is a
// program of its own. Only C headers, so that it builds against any libc.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#ifdef PROBE_UNWIND
#include <unwind.h>
#endif

#define HIDDEN __attribute__((visibility("hidden")))
#define PUBLIC extern "C" __attribute__((visibility("default"), noinline, used))

extern "C" {
HIDDEN extern ElfW(Dyn) own_dynamic[] __asm__("_DYNAMIC");
HIDDEN extern const ElfW(Ehdr) __ehdr_start;
int dep_value(int);
extern int dep_data;
}

#define CHECK(number, condition, ...)                                                              \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "check %d: " #condition ": ", number);                                 \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
            return number;                                                                         \
        }                                                                                          \
    } while (0)

static volatile char zero_small[48];
static volatile char zero_large[70000];
static volatile int data = 41;
static volatile const char filler[5000] = "read-only data that pushes the other sections apart";
static const char *volatile texts[] = {"alpha", "beta", "gamma", "delta"};
static __thread volatile int tls_data = 17;
static __thread volatile char tls_zero[100];

static int constructed;
struct Constructor {
    Constructor() { constructed += 7; }
};
static Constructor constructor;
__attribute__((constructor)) static void early() { constructed += 100; }

// Enough dynamic symbols that the tables have a size.
#define SYMBOL(n)                                                                                  \
    PUBLIC int probe_symbol_##n() { return n + data - 41; }
#define SYMBOLS(d)                                                                                 \
    SYMBOL(d##0)                                                                                   \
    SYMBOL(d##1) SYMBOL(d##2) SYMBOL(d##3) SYMBOL(d##4) SYMBOL(d##5) SYMBOL(d##6) SYMBOL(d##7)
SYMBOLS(1) SYMBOLS(2) SYMBOLS(3) SYMBOLS(4)

struct Found {
    dl_phdr_info info;
    bool found;
};

static int find_self(dl_phdr_info *info, size_t, void *out) {
    Found *found = (Found *)out;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) &segment = info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment.p_vaddr;
        if (segment.p_type == PT_LOAD && start <= (uintptr_t)&data &&
            (uintptr_t)&data < start + segment.p_memsz) {
            found->info = *info;
            found->found = true;
            return 1;
        }
    }
    return 0;
}

static bool readable(const char *text) {
    for (int i = 0; i < 4096; i++) {
        if (text[i] == 0) return i > 0;
        if (text[i] < 32 || text[i] > 126) return false;
    }
    return false;
}

static int check_memory() {
    CHECK(1, filler[0] == 'r' && filler[4999] == 0, "%d", filler[4999]);
    for (size_t i = 0; i < sizeof zero_small; i++)
        CHECK(2, zero_small[i] == 0, ".bss byte %zu is %d", i, zero_small[i]);
    for (size_t i = 0; i < sizeof zero_large; i++)
        CHECK(2, zero_large[i] == 0, "large .bss byte %zu is %d", i, zero_large[i]);
    zero_large[69999] = zero_small[47] = 1;
    CHECK(3, data == 41, "%d", data);
    CHECK(4, !strcmp(texts[0], "alpha") && !strcmp(texts[3], "delta"), "%s", texts[0]);
    CHECK(5, tls_data == 17, "%d", tls_data);
    for (size_t i = 0; i < sizeof tls_zero; i++)
        CHECK(6, tls_zero[i] == 0, "thread-local byte %zu is %d", i, tls_zero[i]);
    CHECK(7, constructed == 107, "%d", constructed);
    return 0;
}

// Program headers as the loader reports them.
static int check_headers(const dl_phdr_info &self) {
    const ElfW(Ehdr) &header = __ehdr_start;
    CHECK(10, memcmp(header.e_ident, ELFMAG, 4) == 0, "header is not mapped");
    CHECK(11, self.dlpi_phdr != 0 && self.dlpi_phnum == header.e_phnum, "%d, header says %d",
          self.dlpi_phnum, header.e_phnum);
    int dynamic = 0, tls = 0, unwind = 0, build_id = 0;
    for (int i = 0; i < self.dlpi_phnum; i++) {
        const ElfW(Phdr) &segment = self.dlpi_phdr[i];
        const unsigned char *start = (const unsigned char *)(self.dlpi_addr + segment.p_vaddr);
        if (segment.p_type == PT_LOAD && segment.p_filesz) {
            volatile unsigned char first = start[0], last = start[segment.p_filesz - 1];
            (void)first, (void)last;
        }
        dynamic += segment.p_type == PT_DYNAMIC;
        tls += segment.p_type == PT_TLS;
        unwind += segment.p_type == PT_GNU_EH_FRAME && start[0] == 1;
        if (segment.p_type != PT_NOTE) continue;
        size_t at = 0;
        while (at + 12 <= segment.p_filesz) {
            const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)(start + at);
            build_id += note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
                        note->n_descsz == 20 && !memcmp(note + 1, "GNU", 4);
            size_t align = segment.p_align == 8 ? 8 : 4;
            at += (12 + ((note->n_namesz + 3) & ~3u) + note->n_descsz + align - 1) & ~(align - 1);
        }
    }
    CHECK(12, dynamic == 1, "%d PT_DYNAMIC", dynamic);
    CHECK(13, tls == 1, "%d PT_TLS", tls);
#ifndef __arm__ // which has its own kind of unwind tables
    CHECK(14, unwind == 1, "%d readable PT_GNU_EH_FRAME", unwind);
#endif
    CHECK(15, build_id == 1, "%d build-ids in mapped notes", build_id);
#ifdef PROBE_MAIN
    CHECK(16, getauxval(AT_PHDR) == (uintptr_t)self.dlpi_phdr, "AT_PHDR %lx, loader %p",
          getauxval(AT_PHDR), (const void *)self.dlpi_phdr);
    CHECK(17, getauxval(AT_PHNUM) == header.e_phnum, "AT_PHNUM %lu", getauxval(AT_PHNUM));
    CHECK(18, getauxval(AT_ENTRY) == header.e_entry + self.dlpi_addr, "AT_ENTRY");
#endif
    return 0;
}

// `_DYNAMIC` as code linked into the object sees it.
static int check_dynamic(const dl_phdr_info &self) {
    uintptr_t base = self.dlpi_addr, strings = 0, symbols = 0, chain = 0;
    int count = 0, needed = 0;
    while (own_dynamic[count].d_tag != DT_NULL) {
        const ElfW(Dyn) &entry = own_dynamic[count];
        uintptr_t address = entry.d_un.d_ptr < base ? entry.d_un.d_ptr + base : entry.d_un.d_ptr;
        if (entry.d_tag == DT_STRTAB) strings = address;
        if (entry.d_tag == DT_SYMTAB) symbols = address;
        if (entry.d_tag == DT_HASH) chain = address;
        CHECK(20, ++count < 120, "_DYNAMIC has no end");
    }
    CHECK(21, strings != 0 && symbols != 0, "_DYNAMIC of %d entries lacks the tables", count);
    for (int i = 0; i < count; i++) {
        int64_t tag = own_dynamic[i].d_tag;
        if (tag != DT_NEEDED && tag != DT_SONAME && tag != DT_RPATH && tag != DT_RUNPATH) continue;
        const char *text = (const char *)strings + own_dynamic[i].d_un.d_val;
        CHECK(22, readable(text), "string of tag %d", (int)tag);
        CHECK(23, tag != DT_NEEDED || strstr(text, ".so"), "DT_NEEDED `%s`", text);
        needed += tag == DT_NEEDED;
    }
    CHECK(24, needed > 0, "no DT_NEEDED in _DYNAMIC");
    const ElfW(Sym) *symbol = (const ElfW(Sym) *)symbols;
    CHECK(25, symbol[0].st_name == 0 && symbol[0].st_value == 0, "first symbol is not null");
    uint32_t symbol_count = chain ? ((const uint32_t *)chain)[1] : 3;
    for (uint32_t i = 1; i < symbol_count; i++)
        CHECK(26, symbol[i].st_name == 0 || readable((const char *)strings + symbol[i].st_name),
              "name of symbol %u", i);
    return 0;
}

// What the loader made read-only after relocation.
static int check_relro(const dl_phdr_info &self) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = 0, end = 0;
    for (int i = 0; i < self.dlpi_phnum; i++)
        if (self.dlpi_phdr[i].p_type == PT_GNU_RELRO) {
            start = self.dlpi_addr + self.dlpi_phdr[i].p_vaddr;
            end = (start + self.dlpi_phdr[i].p_memsz) & -page;
            start &= -page;
        }
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(30, maps != 0, "/proc/self/maps");
    char line[4400];
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char mode[8];
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3) continue;
        CHECK(31, !(from < end && start < to) || mode[1] == '-', "RELRO %lx-%lx is writable: %s",
              (unsigned long)start, (unsigned long)end, line);
    }
    fclose(maps);
    return 0;
}

static int check_symbols(void *handle) {
    for (int d = 1; d < 5; d++)
        for (int n = 0; n < 8; n++) {
            char name[32];
            snprintf(name, sizeof name, "probe_symbol_%d%d", d, n);
            int (*function)() = (int (*)())dlsym(handle, name);
            CHECK(40, function != 0, "%s", name);
            CHECK(41, function() == 10 * d + n, "%s gives %d", name, function());
        }
    Dl_info info;
    CHECK(42, dladdr((void *)dlsym(handle, "probe_symbol_23"), &info) && info.dli_sname, "dladdr");
    CHECK(43, !strcmp(info.dli_sname, "probe_symbol_23"), "%s", info.dli_sname);
    CHECK(44, dep_value(5) == 1005, "%d", dep_value(5));
    CHECK(45, dep_data == 77, "%d", dep_data);
#ifdef __GLIBC__
    CHECK(46, dlvsym(RTLD_DEFAULT, "dep_value", "DEP_1.0") || dlvsym(handle, "dep_value", "DEP_1.0"),
          "version of dep_value");
#ifndef PROBE_MAIN
    CHECK(47, dlvsym(handle, "probe", "PROBE_1.0") != 0, "%s", dlerror());
    CHECK(48, dlvsym(handle, "probe", "PROBE_9.9") == 0, "a version that does not exist");
#endif
#endif
    return 0;
}

#ifdef PROBE_UNWIND
// The compiler's library was built for glibc and asks it where the unwind tables are.
struct FoundObject {
    unsigned long long flags;
    void *start, *end, *link_map, *eh_frame;
    unsigned long long reserved[7];
};

struct Search {
    uintptr_t address;
    FoundObject *result;
};

static int find_object(dl_phdr_info *info, size_t, void *data) {
    Search *search = (Search *)data;
    bool covers = false;
    uintptr_t unwind = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) &segment = info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment.p_vaddr;
        if (segment.p_type == PT_GNU_EH_FRAME) unwind = start;
        covers |= segment.p_type == PT_LOAD && start <= search->address &&
                  search->address < start + segment.p_memsz;
    }
    if (!covers || !unwind) return 0;
    *search->result = FoundObject();
    search->result->eh_frame = (void *)unwind;
    return 1;
}

extern "C" HIDDEN int _dl_find_object(void *address, FoundObject *result) {
    Search search = {(uintptr_t)address, result};
    return dl_iterate_phdr(find_object, &search) ? 0 : -1;
}

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *, void *count) {
    ++*(int *)count;
    return _URC_NO_REASON;
}
#elif !defined(PROBE_NO_UNWIND)
__attribute__((noinline)) static void thrower(int value) {
    if (value == data) throw value;
}
#endif

__attribute__((noinline)) static int check_unwinding() {
#ifdef PROBE_UNWIND
    int frames = 0;
    _Unwind_Backtrace(count_frame, &frames);
    CHECK(50, frames >= 3, "%d frames", frames);
#elif !defined(PROBE_NO_UNWIND)
    int caught = 0;
    try {
        thrower(41);
    } catch (int value) {
        caught = value;
    }
    CHECK(51, caught == 41, "%d", caught);
#endif
    return 0;
}

PUBLIC int probe(void *handle, char **names, int count) {
    int failed;
    Found self = {};
    if ((failed = check_memory())) return failed;
    dl_iterate_phdr(find_self, &self);
    CHECK(9, self.found, "dl_iterate_phdr does not report us");
    // Code that looks at its own headers does not survive patchelf.
    if (!getenv("PROBE_LENIENT")) {
        if ((failed = check_headers(self.info))) return failed;
        if ((failed = check_dynamic(self.info))) return failed;
        if ((failed = check_relro(self.info))) return failed;
    }
    if ((failed = check_symbols(handle))) return failed;
    if ((failed = check_unwinding())) return failed;
    for (int i = 0; i < count; i++)
        CHECK(60, dlopen(names[i], RTLD_LAZY | RTLD_NOLOAD), "not loaded: %s", names[i]);
    return 0;
}

#ifdef PROBE_MAIN
int main(int argc, char **argv) {
    return probe(dlopen(0, RTLD_LAZY), argv + 1, argc - 1);
}
#endif
