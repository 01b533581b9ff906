/* Stands in for libnvidia-ml in tests: one card and one MIG slice of it.
 *
 * Beside the library lies a file of the same name with ".control" behind it. Each of its lines is a key and
 * a number; it is read anew in every call, so a test changes what the card says by writing it. The key
 * "fail.<function>" gives the answer that the function refuses with. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef unsigned int nvmlReturn_t;
typedef struct stand_in *nvmlDevice_t;

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, MISMATCH = 25 };

struct stand_in { int is_slice; };
static struct stand_in card = {0}, slice = {1};

static const char CARD_UUID[] = "GPU-01234567-89ab-cdef-0011-223344556677";
static const char SLICE_UUID[] = "MIG-fedcba98-7654-3210-ffee-ddccbbaa9988";

static long long control(const char *key, long long otherwise)
{
    Dl_info self;
    char path[4096], name[128];
    long long value, found = otherwise;
    if (!dladdr(CARD_UUID, &self)) return otherwise;
    snprintf(path, sizeof path, "%s.control", self.dli_fname);
    FILE *file = fopen(path, "r");
    if (!file) return otherwise;
    while (fscanf(file, "%127s %lld", name, &value) == 2)
        if (!strcmp(name, key)) found = value;
    fclose(file);
    return found;
}

static nvmlReturn_t refused(const char *function)
{
    char key[128];
    snprintf(key, sizeof key, "fail.%s", function);
    return (nvmlReturn_t)control(key, SUCCESS);
}

#define ASKED() do { nvmlReturn_t code = refused(__func__); if (code) return code; } while (0)
/* What the library says of whole cards alone. */
#define ASKED_OF_CARD() do { ASKED(); if (device->is_slice) return NOT_SUPPORTED; } while (0)

nvmlReturn_t nvmlInit_v2(void) { ASKED(); return SUCCESS; }
nvmlReturn_t nvmlShutdown(void) { return SUCCESS; }

nvmlReturn_t nvmlSystemGetDriverVersion(char *text, unsigned length)
{
    ASKED();
    snprintf(text, length, "580.159.04");
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    ASKED();
    if (!strcmp(uuid, CARD_UUID)) { *device = &card; return SUCCESS; }
    if (!strcmp(uuid, SLICE_UUID)) { *device = &slice; return SUCCESS; }
    return strncmp(uuid, "GPU-", 4) ? INVALID_ARGUMENT : NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *id, nvmlDevice_t *device)
{
    ASKED();
    if (strcmp(id, "0000:17:00.0")) return NOT_FOUND;
    *device = &card;
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *text, unsigned length)
{
    ASKED();
    snprintf(text, length, "%s", device->is_slice ? SLICE_UUID : CARD_UUID);
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned *is)
{
    ASKED();
    *is = (unsigned)device->is_slice;
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t device, nvmlDevice_t *parent)
{
    ASKED();
    if (!device->is_slice) return INVALID_ARGUMENT;
    *parent = &card;
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, unsigned *current, unsigned *pending)
{
    ASKED_OF_CARD();
    *current = (unsigned)control("ecc", 1);
    *pending = (unsigned)control("ecc.pending", 1);
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, unsigned kind, unsigned counter,
                                         unsigned long long *count)
{
    static const char *const keys[2][2] = {{"corrected", "corrected.life"}, {"uncorrected", "uncorrected.life"}};
    static const long long otherwise[2][2] = {{11, 12}, {13, 14}};
    ASKED_OF_CARD();
    if (kind > 1 || counter > 1) return INVALID_ARGUMENT;
    *count = (unsigned long long)control(keys[kind][counter], otherwise[kind][counter]);
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned *corrected, unsigned *uncorrected,
                                       unsigned *pending, unsigned *failed)
{
    ASKED_OF_CARD();
    *corrected = 21;
    *uncorrected = 22;
    *pending = (unsigned)control("rows.pending", 1);
    *failed = (unsigned)control("rows.failed", 0);
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRetiredPagesPendingStatus(nvmlDevice_t device, unsigned *pending)
{
    ASKED_OF_CARD();
    *pending = 1;
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending)
{
    ASKED_OF_CARD();
    *current = (unsigned)control("mig", 0);
    *pending = 1;
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetVirtualizationMode(nvmlDevice_t device, unsigned *mode)
{
    ASKED_OF_CARD();
    *mode = (unsigned)control("virtualization", 1);
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t device, unsigned *mode)
{
    ASKED_OF_CARD();
    *mode = 1;
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeMode(nvmlDevice_t device, unsigned *mode)
{
    ASKED_OF_CARD();
    *mode = (unsigned)control("compute-mode", 3);
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxPcieLinkGeneration(nvmlDevice_t device, unsigned *generation)
{
    ASKED_OF_CARD();
    *generation = 5;
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxPcieLinkWidth(nvmlDevice_t device, unsigned *width)
{
    ASKED_OF_CARD();
    *width = 16;
    return SUCCESS;
}

typedef struct {
    unsigned pid;
    unsigned long long bytes;
    unsigned gpu_instance, compute_instance;
} process_t;

static nvmlReturn_t list(const process_t *all, unsigned length, unsigned *count, process_t *to)
{
    static int grown;
    unsigned room = *count;
    *count = length;
    if (room < length || !to) return length ? INSUFFICIENT_SIZE : SUCCESS;
    /* A process that appears between the question for the length and the one for the list. */
    if (grown < control("grow", 0)) { grown++; return INSUFFICIENT_SIZE; }
    memcpy(to, all, length * sizeof *all);
    return SUCCESS;
}

#define LIST(all) list(all, sizeof all / sizeof *all, count, to)

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count, process_t *to)
{
    const process_t of_card[] = {{4000000001u, 1u << 30, -1u, -1u},
                                 {(unsigned)control("our-pid", 4000000002), 2ull << 30, -1u, -1u},
                                 {4000000003u, -1ull, -1u, -1u}};
    const process_t of_slice[] = {{4000000005u, 7, 1, 0}};
    ASKED();
    return device->is_slice ? LIST(of_slice) : LIST(of_card);
}

nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned *count, process_t *to)
{
    const process_t of_card[] = {{4000000000u, 3, -1u, -1u}, {4000000003u, 5, -1u, -1u}};
    ASKED();
    return device->is_slice ? list(0, 0, count, to) : LIST(of_card);
}

nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count, process_t *to)
{
    const process_t of_card[] = {{4000000001u, 1u << 30, -1u, -1u}};
    ASKED();
    return device->is_slice ? list(0, 0, count, to) : LIST(of_card);
}

/* What drivers of the oldest supported branch don't have. */
#ifndef OLD

typedef struct { unsigned version, environment, feature, developer_tools, multi_gpu; } settings_t;

nvmlReturn_t nvmlSystemGetConfComputeSettings(settings_t *settings)
{
    ASKED();
    if (settings->version != (sizeof *settings | 1u << 24)) return MISMATCH;
    settings->environment = 2;
    settings->feature = (unsigned)control("confidential", 1);
    settings->developer_tools = (unsigned)control("developer-tools", 0);
    settings->multi_gpu = 0;
    return SUCCESS;
}

nvmlReturn_t nvmlSystemGetConfComputeGpusReadyState(unsigned *ready)
{
    ASKED();
    *ready = 1;
    return SUCCESS;
}

typedef struct {
    unsigned has_cec_report, report_size, cec_report_size;
    unsigned char nonce[32], report[8192], cec_report[4096];
} report_t;

/* The nonce after a word, as long as the test says. */
nvmlReturn_t nvmlDeviceGetConfComputeGpuAttestationReport(nvmlDevice_t device, report_t *report)
{
    ASKED_OF_CARD();
    memset(report->report, 'r', sizeof report->report);
    memcpy(report->report, "report ", 7);
    memcpy(report->report + 7, report->nonce, sizeof report->nonce);
    report->report_size = (unsigned)control("report-size", 39);
    return SUCCESS;
}

typedef struct {
    unsigned chain_size, attestation_chain_size;
    unsigned char chain[4096], attestation_chain[5120];
} certificate_t;

nvmlReturn_t nvmlDeviceGetConfComputeGpuCertificate(nvmlDevice_t device, certificate_t *certificate)
{
    ASKED_OF_CARD();
    memset(certificate->chain, 'x', sizeof certificate->chain);
    certificate->chain_size = 4096;
    memset(certificate->attestation_chain, 'c', sizeof certificate->attestation_chain);
    certificate->attestation_chain_size = (unsigned)control("certificate-size", 5120);
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetC2cModeInfoV(nvmlDevice_t device, unsigned *enabled)
{
    ASKED_OF_CARD();
    *enabled = (unsigned)control("c2c", 0);
    return SUCCESS;
}

#endif
