/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands of `sluice`: one function each, arguments as for main() with argv[0] the command's name. Exit codes: 0
 * the work was done, 1 the input is wrong, 2 usage. */
#pragma once

#include "base/base.h"

#define CLI_OK	      0
#define CLI_BAD_INPUT 1
#define CLI_USAGE     2

#define CLI_CONFIG_DEFAULT "/etc/sluice/gateway.hujson"

int cmd_plan(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_fmt(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_compile(int argc, char **argv);
int cmd_dns_eval(int argc, char **argv);
int cmd_list_compile(int argc, char **argv);
int cmd_list_match(int argc, char **argv);
int cmd_lists(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_drops(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_flows(int argc, char **argv);
int cmd_queries(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_services(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_dns(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_allow(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_netfilter(int argc, char **argv);
int cmd_quarantine(int argc, char **argv);
