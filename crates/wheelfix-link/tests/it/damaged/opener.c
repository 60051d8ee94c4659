/* Opens each file that it is given as Python opens an extension module, in a process of its own, and says in one line
   what became of it: "loads", "refused" with the loader's words, or "killed" with the signal. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void open_one(const char *file, int said)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    alarm(10);
    freopen("/dev/null", "w", stdout);
    freopen("/dev/null", "w", stderr);
    if (!dlopen(file, RTLD_NOW)) {
        const char *why = dlerror();
        write(said, why, strlen(why));
        _exit(1);
    }
    /* What runs on unload is a part of it. */
    exit(0);
}

int main(int count, char **files)
{
    for (int at = 1; at < count; at++) {
        int ends[2];
        if (pipe(ends)) return 1;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) open_one(files[at], ends[1]);
        close(ends[1]);
        char why[4096];
        ssize_t length = read(ends[0], why, sizeof why - 1);
        why[length > 0 ? length : 0] = 0;
        for (char *c = why; *c; c++) if (*c == '\n') *c = ' ';
        close(ends[0]);
        int status;
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status)) printf("killed by signal %d\n", WTERMSIG(status));
        else if (WEXITSTATUS(status) == 0) printf("loads\n");
        else printf("refused %d: %s\n", WEXITSTATUS(status), why);
    }
    return 0;
}
