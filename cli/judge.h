/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A policy with everything that a name is judged by: documents, plan, lists, views. For dns-eval, explain and the DNS
 * part of a policy's tests; the same compiler, list engine and verdict as the gateway's. */
#pragma once

#include "cli/load.h"
#include "cli/world.h"
#include "filter/verdict.h"
#include "sluice/override.h"

struct judge_options {
	const char *policy, *devices;
	const char *lists_dir;	      /* where relative list files are; NULL = beside the policy */
	const char *lists[LISTS_MAX]; /* NAME=FILE: instead of what the policy says */
	uint32_t n_lists;
	struct world_options world;
	const struct override *overrides; /* that are in force at the gateway */
	uint32_t n_overrides;
	bool now;     /* schedules are judged by the clock where there is no --at; else all are in force */
	bool lenient; /* what geo:, asn: and iplist: stand for may be unknown: the packet's verdict is not asked for */
};

struct judge {
	struct cli_policy docs;
	struct world world;
	struct plan *plan;
	void *lists; /* the compiled list file, or NULL */
	size_t lists_len;
	struct views *views;
	const char *missing; /* a list of the policy that is not there: nothing on it applies; NULL when all are */
	struct views *then;  /* those of another time, .then_s, made when they are first asked for */
	int64_t then_s;
};

/* 0 or negative with @e; diagnostics are in ret->docs.diags, not printed. judge_done() in every case. */
int judge_init(struct judge *ret, const struct judge_options *o, struct err *e);
void judge_done(struct judge *j);

/* dns_test_fn for evaluate_tests(): @arg is the judge. */
int judge_dns_test(void *arg, int64_t at_s, const struct ip_addr *client, const struct dname *name);
