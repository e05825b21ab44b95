/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The chain of reasons that `sluice explain` prints. */
#pragma once

#include "cli/judge.h"
#include "policy/evaluate.h"

#include <cjson/cJSON.h>

struct reasons {
	const struct judge *judge;
	const struct plan_device *device;
	struct ip_addr src;	 /* of the device: where the packet comes from */
	const struct view *view; /* NULL: not active */
	bool is_name;
	struct name_verdict name; /* .is_name, .view */
	struct ip_addr dst;
	bool stand_in; /* .dst is any public address: which one the name has, only the resolver knows */
	struct verdict packet;
	struct rule_look *looks; /* of all rules of the policy */
	cJSON *leases;		 /* what the gateway answered, or NULL */
	const cJSON *refused;	 /* the last refused packet that it tells of, or NULL */
};

void reasons_print(const struct reasons *r);
void reasons_print_json(const struct reasons *r);
