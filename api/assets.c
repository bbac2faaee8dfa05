/* assets: files that are part of the program: the contract and the page. See resources.h. */
#include "api/internal.h"
#include "api/resources.h"
#include "base/mem.h"

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
ASSET(style, "api/page/board.css");
ASSET(script, "api/page/board.js");

/* The page needs itself and this server, nothing else; names are user data, so no text may become markup or
 * script (Trusted Types, of which none are made). https://www.w3.org/TR/CSP3/ */
static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

static struct answer *make(const char *content_type, const char *cache_control, const char *from,
                           const char *to) {
    size_t length = (size_t)(to - from);
    struct answer *answer = answer_new(200, content_type, mem_dup(from, length), length);
    answer->cache_control = cache_control;
    answer_set_etag(answer);
    return answer;
}

/* The three belong together: each is asked for anew, so that no old script runs on a new page. */
static struct answer *make_page(const char *content_type, const char *from, const char *to) {
    struct answer *answer = make(content_type, "no-cache", from, to);
    answer->policy = page_policy;
    return answer;
}

void assets_load(struct api *api) {
    api->openapi = make("application/yaml", "public, max-age=300", asset_openapi, asset_openapi_end);
    api->page = make_page("text/html; charset=utf-8", asset_page, asset_page_end);
    api->style = make_page("text/css; charset=utf-8", asset_style, asset_style_end);
    api->script = make_page("text/javascript; charset=utf-8", asset_script, asset_script_end);
}

void assets_unload(struct api *api) {
    answer_unref(api->openapi);
    answer_unref(api->page);
    answer_unref(api->style);
    answer_unref(api->script);
}

struct answer *assets_page(struct api *api) {
    return answer_ref(api->page);
}

struct answer *assets_style(struct api *api) {
    return answer_ref(api->style);
}

struct answer *assets_script(struct api *api) {
    return answer_ref(api->script);
}

struct answer *assets_openapi(struct api *api) {
    return answer_ref(api->openapi);
}
