/*
 * assets: files that are part of the program: the page and the contract. Their answers are made once.
 */
#ifndef API_ASSETS_H
#define API_ASSETS_H

#include "api/answer.h"

enum asset { ASSET_PAGE, ASSET_STYLE, ASSET_SCRIPT, ASSET_OPENAPI };
enum { ASSETS = 4 };

void assets_load(struct answer *assets[ASSETS]);
void assets_unload(struct answer *assets[ASSETS]);

#endif
