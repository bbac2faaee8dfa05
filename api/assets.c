#include "api/assets.h"

#include "base/mem.h"

/* The assembler reads the files when this one is compiled: CMakeLists.txt names the dependency. */
#define FILE_AT(path) ".incbin \"" WINNER_VIEW_SOURCE_DIR "/" path "\"\n"
#define EMBED(name, files)                                                                                   \
    __asm__(".pushsection .rodata\n"                                                                         \
            ".global asset_" #name "\n.global asset_" #name "_end\n"                                         \
            "asset_" #name ":\n" files "asset_" #name "_end:\n"                                              \
            ".popsection\n");                                                                                \
    extern const char asset_##name[], asset_##name##_end[]

#define STYLE(name) FILE_AT("api/page/style/" name ".css")
#define SCRIPT(name) FILE_AT("api/page/script/" name ".js")

/* The page is one file of each kind, made of the files of a folder. In a script a name is known in all of
 * them; what is run at once stands in start.js. */
EMBED(page, FILE_AT("api/page/index.html"));
EMBED(style, STYLE("base") STYLE("header") STYLE("strip") STYLE("boards") STYLE("ticker") STYLE("footer")
                 STYLE("details") STYLE("finder") STYLE("narrow") STYLE("wall"));
EMBED(script,
      SCRIPT("words") SCRIPT("elements") SCRIPT("place") SCRIPT("freshness") SCRIPT("announcements")
          SCRIPT("chart") SCRIPT("strip") SCRIPT("periods") SCRIPT("movement") SCRIPT("podium")
              SCRIPT("lines") SCRIPT("boards") SCRIPT("progress") SCRIPT("ticker") SCRIPT("event_stream")
                  SCRIPT("feed") SCRIPT("poller") SCRIPT("stream") SCRIPT("aside") SCRIPT("recovery")
                      SCRIPT("history") SCRIPT("standing") SCRIPT("contributor") SCRIPT("product")
                          SCRIPT("finder") SCRIPT("details") SCRIPT("wall") SCRIPT("start"));
EMBED(openapi, FILE_AT("openapi.yaml"));

/* The page loads only itself and calls only this server. Names are user data. The policy requires
 * Trusted Types and the page creates none, so no text can become markup or script.
 * https://www.w3.org/TR/CSP3/ */
static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

static struct answer *make(const char *content_type, const char *from, const char *to) {
    size_t length = (size_t)(to - from);
    struct answer *answer = answer_new(200, content_type, mem_dup(from, length), length);
    answer_set_etag(answer);
    return answer;
}

/* no-cache: the browser checks page, style and script each time, because an old script does not fit a new
 * page. */
static struct answer *make_page(const char *content_type, const char *from, const char *to) {
    struct answer *answer = make(content_type, from, to);
    answer->cache_control = "no-cache";
    answer->policy = page_policy;
    return answer;
}

void assets_load(struct answer *assets[ASSETS]) {
    assets[ASSET_PAGE] = make_page("text/html; charset=utf-8", asset_page, asset_page_end);
    assets[ASSET_STYLE] = make_page("text/css; charset=utf-8", asset_style, asset_style_end);
    assets[ASSET_SCRIPT] = make_page("text/javascript; charset=utf-8", asset_script, asset_script_end);
    assets[ASSET_OPENAPI] = make("application/yaml", asset_openapi, asset_openapi_end);
    assets[ASSET_OPENAPI]->cache_control = "public, max-age=300";
}

void assets_unload(struct answer *assets[ASSETS]) {
    for (size_t i = 0; i < ASSETS; i++)
        answer_unref(assets[i]);
}
