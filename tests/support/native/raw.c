/* A library of the C interface of 0.2 (RELEASE 2), of 0.3 (3), or of what was made after 0.3 and never
   released (4), each byte laid out by hand. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef RELEASE
#define RELEASE 3
#endif
#define NONE 0
#define NULL_METADATA 1
#define MANY 2
#define NO_EXECUTE 3
#define UTF8 4
#define BAD_JSON 5
#define WILD 6
#ifndef BROKEN
#define BROKEN NONE
#endif

typedef struct { uint32_t index; const char *id, *full, *dependencies, *description, *source; } Task;
static Task TASKS[] = {
    {0, "collect", "{tenant}::pack::flow::collect", BROKEN == BAD_JSON ? "[\"" : "[]", BROKEN == UTF8 ? "\xff\xfe" : "collects", "src/flow.rs"},
    {1, "report", BROKEN == WILD ? (const char *)24 : "{tenant}::pack::flow::report", "[\"collect\"]", "reports", BROKEN == WILD ? (const char *)24 : "src/flow.rs"},
};
#define GRAPH "{\"edges\":[],\"nodes\":[],\"metadata\":{}}"
static struct {
    uint32_t count; const Task *tasks;
#if RELEASE == 4
    const char *workflow;
#endif
    const char *package;
#if RELEASE >= 3
    const char *description, *author, *fingerprint;
#endif
    const char *graph;
} PACKAGE = {BROKEN == MANY ? 4000000000u : 2, TASKS,
#if RELEASE == 4
             "its flow",
#endif
             "pack",
#if RELEASE >= 3
             "a pack", "Ada", "2cd523c85a1583c7",
#endif
             GRAPH};
const void *cloacina_get_task_metadata(void) { return BROKEN == NULL_METADATA ? NULL : &PACKAGE; }

typedef struct { const char *id, *full, *dependencies, *constructor, *description; } Registered;
static Registered REGISTERED[2];
static struct { uint32_t count; const Registered *tasks; const char *workflow, *package; } COLLECTION = {2, REGISTERED, "flow", "pack"};
const void *get_task_metadata(void) { return RELEASE == 3 ? &COLLECTION : NULL; }

#if BROKEN != NO_EXECUTE
int32_t cloacina_execute_task(const char *name, uint32_t name_length, const char *context, uint32_t context_length,
                              uint8_t *out, uint32_t room, uint32_t *length) {
    char *said = NULL;
    int status = 0;
    size_t size = 0;
    if (name_length != 7 && name_length != 6) { said = strdup("{\"error\": \"Unknown task\", \"status\": \"error\"}"); status = -1; }
    else if (memmem(context, context_length, "fail", 4)) { said = strdup("{\"error\": \"as it should\", \"status\": \"error\"}"); status = -1; }
    else if (memmem(context, context_length, "mute", 4)) { said = strdup("no JSON"); status = -1; }
    else if (memmem(context, context_length, "serial", 6)) { said = strdup(""); status = -2; }
    else if (memmem(context, context_length, "strange", 7)) { said = strdup(""); status = 5; }
    else if (memmem(context, context_length, "latin", 5)) said = strdup("{\"a\": \"\xe4\"}");
    else if (memmem(context, context_length, "huge", 4)) { said = calloc(1, size = (size_t)room + 10); memset(said, ' ', size); }
    else if (memmem(context, context_length, "abort", 5)) { fputs("\nthread '<unnamed>' (4) panicked at src/lib.rs:33:30:\nno such row\nnote: run with `RUST_BACKTRACE=1` environment variable\nfatal runtime error: failed to initiate panic, error 5, aborting\n", stderr); abort(); }
    else { printf("running %.*s\n", (int)name_length, name); said = strndup(context, context_length); }
    if (!size) size = strlen(said);
    *length = size < room ? (uint32_t)size : room; /* cut without a word, as the real ones do */
    memcpy(out, said, *length);
    free(said);
    return status;
}
#endif
