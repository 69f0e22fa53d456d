/* A plugin of every fidius ABI, chosen by macros: its descriptor is laid out by hand, so that a
   test knows each byte of it. What it does follows from the name of the task.

   ABI 2, 200, 500; WIRE 0 (JSON, ABI 2 alone) or 1; LAYOUT 0 base, 1 + triggers, 2 + trigger_rules,
   3 + requires_handle; RULED 1 gives the task `after` a trigger rule; BROKEN names one thing that is wrong; IMPORTS 1 wants functions of its host,
   2 others than there are, 3 describes them in too few bytes. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#ifndef ABI
#define ABI 200
#endif
#ifndef WIRE
#define WIRE 1
#endif
#ifndef LAYOUT
#define LAYOUT 3
#endif
#ifndef RULED
#define RULED 0
#endif

#define NONE 0
#define NULL_REGISTRY 1
#define BAD_MAGIC 2
#define NO_PLUGINS 3
#define WILD_DESCRIPTOR 4
#define UNKNOWN_ABI 5
#define BAD_SIZE 6
#define STRATEGY 7
#define NO_METHODS 8
#define WILD_NAME 9
#define METADATA_CUT 10
#define METADATA_UTF8 11
#define METADATA_HUGE 12
#define METADATA_FAILS 13
#define LONG_LOAD 14
#define OTHER_INTERFACE 15
#define EMPTY_ENTRY 16
#define TWICE 17
#ifndef BROKEN
#define BROKEN NONE
#endif

typedef struct { uint8_t *data; size_t length, room; } Out;

static void put(Out *out, const void *data, size_t length) {
    if (out->length + length > out->room) {
        out->room = 2 * (out->length + length) + 256;
        out->data = realloc(out->data, out->room);
    }
    memcpy(out->data + out->length, data, length);
    out->length += length;
}
static void byte(Out *out, uint8_t value) { put(out, &value, 1); }
static void number(Out *out, uint32_t value) { put(out, &value, 4); }
static void count(Out *out, uint64_t value) { put(out, &value, 8); }
static void text(Out *out, const char *value) { count(out, strlen(value)); put(out, value, strlen(value)); }
static void some(Out *out, const char *value) { if (value) { byte(out, 1); text(out, value); } else byte(out, 0); }
static void raw(Out *out, const char *value) { put(out, value, strlen(value)); }
static int32_t give(Out *out, uint8_t **data, uint32_t *length, int32_t status) {
    *data = out->data; *length = (uint32_t)out->length; return status;
}

#if ABI == 500
#define SELF void *self,
static int made;
static void *construct(const uint8_t *config, uint32_t length) { (void)config; made += length == 0; return &made; }
static void destroy(void *self) { (void)self; fputs("destroyed\n", stderr); }
#else
#define SELF
#endif

static const char *NAMES[] = {"echo", "sleep", "after"};

static void metadata_json(Out *out) {
    raw(out, "{\"workflow_name\":\"flow\",\"package_name\":\"pack\",\"workflow_fingerprint\":\"00ff\",\"tasks\":["
        "{\"index\":0,\"id\":\"echo\",\"namespaced_id_template\":\"t\",\"dependencies\":[],\"description\":\"d\",\"source_location\":\"src/lib.rs\"}]}");
}

static void task(Out *out, uint32_t index) {
    number(out, index); text(out, NAMES[index]); text(out, "tenant::pack::flow::x");
    if (index == 2) { count(out, 2); text(out, "echo"); text(out, "public::other::flow::first"); } else count(out, 0);
    text(out, "says what it got"); text(out, "src/lib.rs");
    if (LAYOUT >= 2) text(out, RULED && index == 2
        ? "{\"conditions\":[{\"task_name\":\"t::pack::flow::echo\",\"type\":\"TaskFailed\"}],\"type\":\"All\"}"
        : "{\"type\":\"Always\"}");
    if (LAYOUT >= 3) byte(out, index == 1);
}

static int32_t get_task_metadata(SELF const uint8_t *in, uint32_t in_length, uint8_t **data, uint32_t *length) {
    Out out = {0};
    (void)in; (void)in_length;
    if (BROKEN == LONG_LOAD) { fputs("thinking\n", stderr); sleep(60); }
    if (BROKEN == METADATA_FAILS) { text(&out, "BROKEN"); text(&out, "no tasks today"); some(&out, "why not"); return give(&out, data, length, -3); }
    if (BROKEN == METADATA_UTF8) { count(&out, 2); put(&out, "\xff\xfe", 2); return give(&out, data, length, 0); }
    if (BROKEN == METADATA_HUGE) { *data = (uint8_t *)NAMES; *length = UINT32_MAX; return 0; }
    if (!WIRE) { metadata_json(&out); return give(&out, data, length, 0); }
    text(&out, "flow"); text(&out, "pack"); some(&out, "a flow"); some(&out, NULL); some(&out, "00ff"); some(&out, NULL);
    count(&out, BROKEN == TWICE ? 4 : 3);
    for (uint32_t i = 0; i < 3; i++) task(&out, i);
    if (BROKEN == TWICE) task(&out, 0);
    if (LAYOUT >= 1) { count(&out, 1); text(&out, "inbox"); }
    if (BROKEN == METADATA_CUT) out.length -= 7;
    return give(&out, data, length, 0);
}

static void result(Out *out, int success, const char *context, const char *error) {
    byte(out, (uint8_t)success); some(out, context); some(out, error);
}

static int connects(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
}

#ifdef IMPORTS
typedef struct {
    uint32_t size, abi; const char *name; uint64_t hash; uint32_t version, functions; void *context;
    int32_t (*dispatch)(void *, uint32_t, const uint8_t *, uint32_t, uint8_t **, uint32_t *); void (*free_buffer)(uint8_t *, size_t);
} HostTable;
static const HostTable *host;
static int32_t take_host(const HostTable *table) { host = table; return 0; }
static struct { uint32_t size, abi; const char *name; uint64_t hash; uint32_t version; int32_t (*bind)(const HostTable *); } WANTED = {
    IMPORTS == 3 ? 8 : sizeof WANTED, 500, "CloacinaHost", 0x907e881f764539bf + (IMPORTS == 2), 1, take_host};
static const void *ALL_WANTED[] = {&WANTED};
static struct { char magic[8]; uint32_t version, count; const void **wanted; } IMPORTED = {"FIDIUS\0", 1, 1, ALL_WANTED};
const void *fidius_get_host_imports(void) { return &IMPORTED; }

/* Waits as a task with a handle does, and returns what the host answered: digits of statuses. */
static void wait_at_host(const char *execution, char *said) {
    Out one = {0}, two = {0}, cut = {0};
    uint8_t *data = NULL;
    uint32_t length = 0;
    if (!host) { strcpy(said, "{\"host\": null}"); return; }
    text(&one, execution); text(&two, execution); text(&two, "Deferred"); count(&cut, 99);
    int sizes = host->size == sizeof *host && host->functions == 3;
    int status = host->dispatch(host->context, 2, two.data, (uint32_t)two.length, &data, &length);
    int released = host->dispatch(host->context, 0, one.data, (uint32_t)one.length, &data, &length);
    int reclaimed = host->dispatch(host->context, 1, one.data, (uint32_t)one.length, &data, &length);
    int odd = host->dispatch(host->context, 3, one.data, (uint32_t)one.length, &data, &length);
    int bad = host->dispatch(host->context, 2, cut.data, (uint32_t)cut.length, &data, &length);
    sprintf(said, "{\"host\": [%d, %d, %d, %d, %d, %d], \"names\": %zu}", sizes && !data && !length, status, released, reclaimed, odd, bad, strlen(execution));
}
#endif

static void ignore(int number) { (void)number; }

static void beat(const char *path, int leaves) {
    char copy[512];
    size_t length = strcspn(path, "\\\"");
    memcpy(copy, path, length);
    copy[length] = 0;
    if (fork()) return;
    if (leaves) { setsid(); if (fork()) _exit(0); }
    for (int fd = 0; fd < 64; fd++) close(fd);
    for (;;) {
        int fd = open(copy, O_WRONLY | O_APPEND);
        if (write(fd, "x", 1) != 1) _exit(1);
        close(fd);
        usleep(20000);
    }
}

static int32_t act(const char *name, const char *context, Out *out) {
    char said[512];
    int wanted = 0;
    const char *at = strstr(context, "\"n\": ");
    if (at) wanted = atoi(at + 5);
    if (!strcmp(name, "sleep")) usleep((useconds_t)wanted * 1000);
    else if (!strcmp(name, "after")) {
        /* one plugin for all: what to do is the context's `do` */
        if (strstr(context, "crash")) { fputs("about to touch nothing\n", stderr); *(volatile int *)8 = 1; }
        if (strstr(context, "abort")) abort();
        if (strstr(context, "exit")) exit(7);
        if (strstr(context, "loop")) for (;;) {}
        if (strstr(context, "flood")) for (;;) puts("and another line of it");
        if (strstr(context, "linger")) beat(strstr(context, "linger") + 7, 0);
        if (strstr(context, "escape")) beat(strstr(context, "escape") + 7, 1);
        if (strstr(context, "stubborn")) { signal(SIGTERM, ignore); signal(SIGINT, SIG_IGN); fputs("I stay\n", stderr); for (;;) pause(); }
        if (strstr(context, "print")) { printf("to stdout\n"); printf("a half line"); fprintf(stderr, "to stderr \x1b[31m \xff\n"); }
        if (strstr(context, "environment")) { extern char **environ; for (char **one = environ; *one; one++) puts(*one); }
        if (strstr(context, "descriptors")) for (int fd = 6; fd < 1000; fd++) if (fcntl(fd, F_GETFD) != -1) printf("open %d\n", fd);
        if (strstr(context, "remove")) { if (rmdir(getcwd(said, sizeof said))) perror("rmdir"); }
        if (strstr(context, "memory")) { char *much = malloc((size_t)12 << 30); puts(much ? "got it" : "refused"); }
        if (strstr(context, "connect")) { snprintf(said, sizeof said, "{\"connects\": %s}", connects(wanted) ? "true" : "false"); result(out, 1, said, NULL); return 0; }
        if (strstr(context, "close")) { close(4); sleep(60); }
        if (strstr(context, "forge")) { uint32_t huge = UINT32_MAX; if (write(4, &huge, 4) < 0) perror("write"); sleep(60); }
        if (strstr(context, "babble")) { if (write(4, "\3\0\0\0[1]", 7) < 0) perror("write"); sleep(60); }
        if (strstr(context, "panic")) { text(out, "index out of bounds"); return -4; }
        if (strstr(context, "refuse")) { text(out, "CONTEXT_ERROR"); text(out, "not like this"); some(out, NULL); return -3; }
        if (strstr(context, "odd status")) return 77;
        if (strstr(context, "minus two")) return -2;
        if (strstr(context, "cut")) { byte(out, 1); byte(out, 1); count(out, 900); raw(out, "{"); return 0; }
        if (strstr(context, "garbage")) { raw(out, "\xff\xff"); return -3; }
        if (strstr(context, "nothing")) return 0;
        if (strstr(context, "list")) { result(out, 1, "[1]", NULL); return 0; }
        if (strstr(context, "nan")) { result(out, 1, "{\"x\": NaN}", NULL); return 0; }
        if (strstr(context, "fail")) { result(out, 0, NULL, "Task 'after' failed: as it should"); return 0; }
        if (strstr(context, "silent")) { result(out, 0, NULL, NULL); return 0; }
        if (strstr(context, "keep")) { result(out, 1, NULL, NULL); return 0; }
    }
    result(out, 1, context, NULL);
    return 0;
}

static char *taken(const uint8_t **in, const uint8_t *end) {
    uint64_t length;
    if (end - *in < 8) return NULL;
    memcpy(&length, *in, 8);
    *in += 8;
    if ((uint64_t)(end - *in) < length) return NULL;
    char *copy = strndup((const char *)*in, length);
    *in += length;
    return copy;
}

static int32_t execute_task(SELF const uint8_t *in, uint32_t in_length, uint8_t **data, uint32_t *length) {
    Out out = {0};
    const uint8_t *end = in + in_length;
#if ABI == 500
    if (self != &made) return -2;
#endif
    if (!WIRE) {
        int asked = in_length > 30 && !memcmp(in, "[{\"task_name\": \"echo\"", 21);
        raw(&out, asked ? "{\"success\":true,\"context_json\":\"{\\\"json\\\": 1}\"}" : "{\"success\":false,\"error\":\"no\"}");
        return give(&out, data, length, 0);
    }
    char *name = taken(&in, end), *context = taken(&in, end);
    if (!name || !context) return -2;
#ifdef IMPORTS
    uint8_t waits[256];
    in += 8;
    char *execution = taken(&in, end);
    if (!execution || in != end) return -2;
    if (!strcmp(name, "sleep")) { wait_at_host(execution, (char *)waits); result(&out, 1, (char *)waits, NULL); return give(&out, data, length, 0); }
#else
    if (end - in != 16) return -2; /* an empty map and an empty text: the longest request */
#endif
    int32_t status = act(name, context, &out);
    free(name); free(context);
    return give(&out, data, length, status);
}

static void accumulators(Out *out) {
    count(out, 1); text(out, "ticks"); text(out, "stream");
    count(out, 2); text(out, "topic"); text(out, "t"); text(out, "group"); text(out, "g");
}

static int32_t get_graph_metadata(SELF const uint8_t *in, uint32_t in_length, uint8_t **data, uint32_t *length) {
    Out out = {0};
    (void)in; (void)in_length;
    if (LAYOUT == 1) { text(&out, "NOT_SUPPORTED"); text(&out, "no graph"); some(&out, NULL); return give(&out, data, length, -3); }
    text(&out, "market"); text(&out, "pack"); text(&out, "when_any"); text(&out, "latest"); accumulators(&out);
    if (LAYOUT >= 1) some(&out, "ticker");
    if (LAYOUT >= 2) some(&out, "{\"nodes\":[]}");
    return give(&out, data, length, 0);
}
static int32_t execute_graph(SELF const uint8_t *in, uint32_t in_length, uint8_t **data, uint32_t *length) {
    Out out = {0};
    uint64_t entries = 0;
    if (in_length >= 8) memcpy(&entries, in, 8);
    byte(&out, entries == 1); byte(&out, 1); count(&out, 1); text(&out, "{\"sum\": 3}"); some(&out, entries == 1 ? NULL : "no input");
    return give(&out, data, length, 0);
}
static int32_t get_reactor_metadata(SELF const uint8_t *in, uint32_t in_length, uint8_t **data, uint32_t *length) {
    Out out = {0};
    (void)in; (void)in_length;
    count(&out, 1); text(&out, "ticker"); text(&out, "pack"); text(&out, "when_all"); accumulators(&out);
    return give(&out, data, length, 0);
}
static int32_t get_trigger_metadata(SELF const uint8_t *in, uint32_t in_length, uint8_t **data, uint32_t *length) {
    Out out = {0};
    (void)in; (void)in_length;
    count(&out, 3);
    text(&out, "broken"); if (LAYOUT >= 2) text(&out, "flow"); text(&out, "pack"); text(&out, "1m"); some(&out, NULL); byte(&out, 0);
    text(&out, "inbox"); if (LAYOUT >= 2) text(&out, "flow"); text(&out, "pack"); text(&out, "30s"); some(&out, NULL); byte(&out, 1);
    text(&out, "nightly"); if (LAYOUT >= 2) text(&out, "flow"); text(&out, "pack"); text(&out, ""); some(&out, "0 3 * * *"); byte(&out, 0);
    return give(&out, data, length, 0);
}
static int32_t invoke_trigger_poll(SELF const uint8_t *in, uint32_t in_length, uint8_t **data, uint32_t *length) {
    Out out = {0};
    int known = in_length == 13 && !memcmp(in + 8, "inbox", 5);
    if (in_length > 12 && !memcmp(in + 8, "broken", 6)) { byte(&out, 0); byte(&out, 0); some(&out, "no inbox"); return give(&out, data, length, 0); }
    byte(&out, (uint8_t)known); some(&out, known ? "{\"file\": \"a\"}" : NULL); some(&out, known ? NULL : "unknown trigger");
    return give(&out, data, length, 0);
}
static int32_t get_callable_graphs(SELF const uint8_t *in, uint32_t in_length, uint8_t **data, uint32_t *length) {
    Out out = {0};
    (void)in; (void)in_length;
    count(&out, 1); text(&out, "score"); text(&out, "pack"); count(&out, 1); text(&out, "end");
    return give(&out, data, length, 0);
}
static int32_t call_graph(SELF const uint8_t *in, uint32_t in_length, uint8_t **data, uint32_t *length) {
    Out out = {0};
    const uint8_t *end = in + in_length;
    char *name = taken(&in, end), *context = taken(&in, end);
    /* one text with a list in it, where the graph of the package returns a list of texts */
    char said[512];
    int odd = strstr(context, "odd") != NULL;
    snprintf(said, sizeof said, odd ? "{}" : "[%s, \"%s\"]", context, name);
    byte(&out, 1); some(&out, said); some(&out, NULL);
    return give(&out, data, length, 0);
}
static int32_t get_input_interface(SELF const uint8_t *in, uint32_t in_length, uint8_t **data, uint32_t *length) {
    Out out = {0};
    (void)in; (void)in_length;
    count(&out, 1); text(&out, "workflow"); text(&out, "flow"); text(&out, "[]");
    return give(&out, data, length, 0);
}
static int32_t get_constructor_metadata(SELF const uint8_t *in, uint32_t in_length, uint8_t **data, uint32_t *length) {
    Out out = {0};
    (void)in; (void)in_length;
    count(&out, 1); text(&out, "flow"); text(&out, "fetch"); text(&out, "http"); text(&out, "get");
    count(&out, 1); text(&out, "url"); text(&out, "x"); count(&out, 1); text(&out, "http"); count(&out, 1); text(&out, "x"); count(&out, 0);
    return give(&out, data, length, 0);
}

static void free_buffer(uint8_t *data, size_t length) { (void)length; free(data); }

static const void *VTABLE[] = {
    get_task_metadata, execute_task,
#if WIRE && (LAYOUT >= 1 || ABI == 2)
    get_graph_metadata, execute_graph,
#endif
#if ABI >= 200
    get_reactor_metadata, get_trigger_metadata, invoke_trigger_poll, get_callable_graphs, call_graph,
#endif
#if ABI >= 500
    get_input_interface, get_constructor_metadata,
#endif
};
#define METHODS (BROKEN == NO_METHODS ? 0 : sizeof VTABLE / sizeof *VTABLE)
#if BROKEN == WILD_NAME
#define INTERFACE (const char *)16
#elif BROKEN == OTHER_INTERFACE
#define INTERFACE "Another"
#else
#define INTERFACE "CloacinaPlugin"
#endif

#if ABI == 2
static struct {
    uint32_t abi; const char *interface; uint64_t hash; uint32_t version; uint64_t capabilities;
    uint8_t wire, strategy; const char *name; const void **vtable; void (*free_buffer)(uint8_t *, size_t); uint32_t methods;
} DESCRIPTOR = {2, INTERFACE, 0x2d2239c438ebd4ff, 1, 0, WIRE, 1, "_WorkflowPlugin", VTABLE, free_buffer, METHODS};
#else
static struct {
    uint32_t size, abi; const char *interface; uint64_t hash; uint32_t version; uint64_t capabilities;
    uint8_t strategy; const char *name; const void **vtable; void (*free_buffer)(uint8_t *, size_t); uint32_t methods;
    const void *method_metadata, *trait_metadata; uint32_t trait_metadata_count;
#if ABI >= 500
    void *(*construct)(const uint8_t *, uint32_t); void (*destroy)(void *);
#endif
} DESCRIPTOR = {sizeof DESCRIPTOR + (BROKEN == BAD_SIZE ? 8 : 0), BROKEN == UNKNOWN_ABI ? 900 : ABI, INTERFACE, 0x5294867f0800277b, LAYOUT + 1, 0x1f,
                BROKEN == STRATEGY ? 0 : 1, "CloacinaPackagePlugin", VTABLE, free_buffer, METHODS, 0, 0, 0
#if ABI >= 500
                , construct, destroy
#endif
};
#endif

#if BROKEN == WILD_DESCRIPTOR
static const void *DESCRIPTORS[] = {(void *)4096};
#elif BROKEN == EMPTY_ENTRY
static const void *DESCRIPTORS[] = {NULL};
#else
static const void *DESCRIPTORS[] = {&DESCRIPTOR};
#endif
static struct { char magic[8]; uint32_t version, count; const void **descriptors; } REGISTRY = {
    {'F', 'I', 'D', 'I', 'U', BROKEN == BAD_MAGIC ? 'X' : 'S'}, 1, BROKEN == NO_PLUGINS ? 0 : 1, DESCRIPTORS};

const void *fidius_get_registry(void) { return BROKEN == NULL_REGISTRY ? NULL : &REGISTRY; }
