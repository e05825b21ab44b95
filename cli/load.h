/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A policy and its device list from files, for the commands that work offline. */
#pragma once

#include "base/err.h"
#include "policy/compile.h"

struct cli_policy {
	struct arena *mem; /* everything below */
	struct diag_list diags;
	struct doc_policy *policy;   /* NULL after errors */
	struct doc_devices *devices; /* NULL after errors; empty when no file was named */
	bool has_devices;	     /* a file was named */
};

/* What a command says, where: people read stderr, programs JSON lines on stdout. */
enum cli_output { CLI_TEXT = 0, CLI_JSON };

/* @devices_file may be NULL. Nothing is printed: diagnostics are in ret->diags, those of files that cannot be read too.
 * 0 = both are there without an error; -EINVAL = they are not; -ENOMEM. cli_policy_done() in every case. */
int cli_policy_load(const char *policy_file, const char *devices_file, struct cli_policy *ret);
void cli_policy_done(struct cli_policy *p);
void cli_policy_print(const struct cli_policy *p, enum cli_output how);
/* What a compilation without the gateway may know of the world: the time, and no network. */
struct compile_env cli_compile_env(void);
/* @mem NULL-terminated text of a file as a source; NULL after a diagnostic was added. */
struct source *cli_source_load(struct arena *mem, const char *file, struct diag_list *diags);
