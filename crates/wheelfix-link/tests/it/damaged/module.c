/* An extension module with one of everything that a loader has to do something about. */
#include <stdio.h>
#include <stdlib.h>

__thread int counter = 3;
int data = 5;
int empty[64];
int *pointer = &data;
int (*function)(const char *, ...) = printf;
int helper(int x) { return x + counter; }
static void start(void) __attribute__((constructor));
static void start(void) { data = helper(data) + (getenv("HOME") != 0); }
static void stop(void) __attribute__((destructor));
static void stop(void) { empty[3] = data; }
const char *PyInit_module(void) { return malloc(3); }
