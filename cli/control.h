/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The gateway's settings and its control socket, as the commands that talk to a running gateway need them. */
#pragma once

#include "base/err.h"
#include "policy/document.h"

#include <cjson/cJSON.h>

struct cli_gateway {
	struct arena *mem;
	struct doc_gateway *doc; /* paths made absolute */
	const char *file;
};

/* @file: as given by --config, or NULL: $SLUICE_CONFIG, then the default. Diagnostics go to stderr. 0 or negative. */
int cli_gateway_load(const char *file, struct cli_gateway *ret);
void cli_gateway_done(struct cli_gateway *g);

/* One request and its answer over RUN/control.sock. @ret: returned, cJSON_Delete(). -ECONNREFUSED or -ENOENT: no
 * gateway is running there. */
int control_request(const struct cli_gateway *g, const char *request, cJSON **ret, struct err *e);
/* The same of the gateway whose settings @config names (as above). NULL: there is none; why was said. */
cJSON *control_ask(const char *config, const char *request);
/* The text of a member of an answer, borrowed; "-" where there is none. */
const char *control_text(const cJSON *o, const char *name);

/* What all commands take that ask the gateway one thing. */
struct control_options {
	const char *config;
	bool json;
	const char *word; /* what follows the options, or NULL */
};

/* @max_words: that may follow. True to go on; else *ret_exit is the exit code, and what there is to say was said. */
bool control_options_parse(int argc, char **argv, const char *help, int max_words, struct control_options *ret,
			   int *ret_exit);
