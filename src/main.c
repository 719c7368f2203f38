/* SPDX-License-Identifier: BSD-2-Clause */
/* vmwire: options -> configuration -> VM -> run; or `vmwire host …`, which runs no guest. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/cmdline.h"
#include "control/process.h"
#include "control/vm.h"
#include "host/host.h"
#include "net/host/nat_holder.h"
#include "net/host/nat_link.h"

/* -accel kvm,probe=on: 0 when the accelerator works on this machine. */
static int probe(const struct config *c)
{
	struct err e;

	if (!strcmp(config_accel(c), "qtest"))
		return 0;
	if (!kvm_probe(c->accel_device ? c->accel_device : "/dev/kvm", &e))
		return 0;
	log_err(&e);
	return 1;
}

/* Were one of them closed, the next descriptor opened would take its number, and the guest's output
 * or our messages would go there. */
static void fill_stdio(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			_exit(1);
}

/* The guest, from its start to its end. */
static int run(struct config *c)
{
	struct process p;
	struct err e = {0};
	struct vm *vm = NULL;
	int status = 1, rc = process_begin(&p, &c->process, c->name, &status, &e);

	if (rc == PROCESS_PARENT) {
		process_end(&p, 0);
		return status;
	}
	if (!rc)
		vm = vm_new(c, &e);
	if (vm && !process_drop(&p, &e) && !vm_start(vm, &e) && !process_ready(&p, &e))
		status = vm_run(vm);
	else
		log_err(&e);
	vm_free(vm);
	process_end(&p, status);
	return status;
}

int main(int argc, char **argv)
{
	struct config c;
	struct err e = {0};
	int rc, status = 0;

	fill_stdio();
	if (argc > 1 && !strcmp(argv[1], "host"))
		return host_main(argc - 1, argv + 1);
	if (argc == 3 && !strcmp(argv[1], NAT_HOLDER_ARG))
		return nat_holder_main(argv[2]);
	rc = cmdline_parse(argc, argv, &c, stdout, &e);
	if (rc < 0) {
		log_err(&e);
		status = 1;
	} else if (rc == CMDLINE_DONE) {
		status = fflush(stdout) ? 1 : 0;
	} else if (c.probe) {
		status = probe(&c);
	} else {
		status = run(&c);
	}
	config_free(&c);
	return status;
}
