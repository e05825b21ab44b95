/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Building a JSON tree with an error that sticks: cJSON reports every allocation, this is asked once at the end. */
#pragma once

#include "base/base.h"

#include <cjson/cJSON.h>

struct json_out {
	cJSON *root;
	bool failed; /* out of memory */
};

void json_out_done(struct json_out *j);
cJSON *json_root(struct json_out *j);
/* Add to @to, under @key in an object, or with @key NULL at the end of an array. @to NULL (after a failure) is fine. */
cJSON *json_object(struct json_out *j, cJSON *to, const char *key);
cJSON *json_array(struct json_out *j, cJSON *to, const char *key);
/* NULL gives null. */
void json_string(struct json_out *j, cJSON *to, const char *key, const char *value);
void json_bool(struct json_out *j, cJSON *to, const char *key, bool value);
void json_number(struct json_out *j, cJSON *to, const char *key, uint64_t value);
/* The text, free(); NULL when anything has failed. */
char *json_text(struct json_out *j);
