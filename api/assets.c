/* assets: files that are part of the program: the contract and the page. See resources.h. */
#include "api/internal.h"
#include "api/resources.h"
#include "server/base/mem.h"

/* The assembler reads the file when this one is compiled: the build must know that one depends on the other.
 */
#define ASSET(name, file)                                                                                    \
    __asm__(".pushsection .rodata\n"                                                                         \
            ".global asset_" #name "\n.global asset_" #name "_end\n"                                         \
            "asset_" #name ":\n.incbin \"" WINNER_VIEW_SOURCE_DIR "/" file "\"\nasset_" #name "_end:\n"      \
            ".popsection\n");                                                                                \
    extern const char asset_##name[], asset_##name##_end[]

ASSET(openapi, "openapi.yaml");
ASSET(page, "api/page/index.html");

static struct answer *make(const char *content_type, const char *cache_control, const char *from,
                           const char *to) {
    size_t length = (size_t)(to - from);
    struct answer *answer = answer_new(200, content_type, mem_dup(from, length), length);
    answer->cache_control = cache_control;
    return answer;
}

void assets_load(struct api *api) {
    api->openapi = make("application/yaml", "public, max-age=300", asset_openapi, asset_openapi_end);
    api->page = make("text/html; charset=utf-8", "no-cache", asset_page, asset_page_end);
}

struct answer *assets_page(struct api *api) {
    return answer_ref(api->page);
}

struct answer *assets_openapi(struct api *api) {
    return answer_ref(api->openapi);
}
