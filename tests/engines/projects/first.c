/* A library as the macros of 0.2 write it: the struct of 32 bytes, three exports, one task. */
#include <stdint.h>
#include <string.h>

struct task {
    uint32_t index;
    const char *id, *template, *dependencies, *description, *location;
};
static const struct task tasks[] = {
    {0, "count", "{tenant}::first::first_workflow::count", "[]", "Counts.", "src/lib.rs"},
};
static const struct {
    uint32_t count;
    const struct task *tasks;
    const char *package, *graph;
} package = {1, tasks, "first",
             "{\"nodes\":[{\"id\":\"count\",\"data\":{\"id\":\"count\",\"name\":\"count\",\"metadata\":{}}}],"
             "\"edges\":[],\"metadata\":{\"task_count\":1,\"edge_count\":0,\"has_cycles\":false,"
             "\"depth_levels\":1,\"root_tasks\":[\"count\"],\"leaf_tasks\":[\"count\"]}}"};

struct known {
    const char *id, *template, *dependencies, *constructor, *description;
};
static const struct known known[] = {
    {"count", "{tenant}::first::first_workflow::count", "[]", "count_constructor", "Counts."},
};
static const struct {
    uint32_t count;
    const struct known *tasks;
    const char *workflow, *package;
} collection = {1, known, "first_workflow", "first"};

const void *cloacina_get_task_metadata(void) { return &package; }
const void *get_task_metadata(void) { return &collection; }

int cloacina_execute_task(const char *name, uint32_t name_size, const char *context,
                          uint32_t context_size, uint8_t *out, uint32_t capacity, uint32_t *size) {
    static const char result[] = "{\"count\": 1}";
    (void)name, (void)name_size, (void)context, (void)context_size;
    if (capacity < sizeof result - 1) return -2;
    memcpy(out, result, sizeof result - 1);
    *size = sizeof result - 1;
    return 0;
}
