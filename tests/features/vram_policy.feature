Feature: Weights in device memory only
  A worker judges by what the driver says of the device and of each region, when it starts, when it seals and when it
  verifies. What is not the device's own plain memory is refused.

  Background:
    Given a worker that may use 48 MiB of device memory

  @VP-001
  Scenario: the policy passes on a device with its own memory, and lists each check with the value it observed
    Given the worker has sealed a model of 600001 bytes as "weights"
    When the worker verifies "weights"
    Then the policy accepts the device, the machine and the region
    And these checks passed, each with what was observed
      | check                     | observed                              |
      | device.own-memory         | INTEGRATED 0                          |
      | device.compute-capability | COMPUTE_CAPABILITY                    |
      | device.mmu-freezing       | VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED 1 |
      | region.device-memory      | MEMORY_TYPE device                    |
      | region.not-managed        | IS_MANAGED 0                          |
      | region.no-host-alias      | HOST_POINTER present 0                |
      | region.not-exportable     | ALLOWED_HANDLE_TYPES 0                |
      | region.read-only          | access read                           |
    And every check says what it observed, and what it expected
    And the audit trail tells of no policy violation

  @VP-001 @VP-002 @VP-003
  Scenario Outline: a managed, host-mapped or foreign-device region is refused, audited as a policy violation, and stops the worker
    Given a driver whose answers can be changed
    And the worker has sealed a model of 600001 bytes as "weights"
    And the worker has sealed a model of 4096 bytes as "other"
    When the driver says of "weights" what it says of <memory>
    And the worker verifies "weights"
    Then it is refused by the check "<check>"
    And the worker has stopped
    And the worker permits neither "weights" nor "other", alone or together
    And the audit trail tells of a policy violation of "weights" by "<check>", and then that the worker stopped

    Examples:
      | memory                            | check                |
      | managed memory                    | region.not-managed   |
      | host memory mapped for the device | region.device-memory |
      | memory of another device          | region.device-memory |
