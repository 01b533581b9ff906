Feature: What an attacker meets
  Who can write a record, write device memory or read what a worker emits gets neither a permit nor a secret.

  Background:
    Given a worker that may use 48 MiB of device memory

  @EX-2.2 @VU-2
  Scenario: a forged tag is refused and audited
    Given the worker has sealed a model of 600001 bytes as "weights"
    When somebody without the worker's key signs the record of "weights" for another size
    And the worker verifies "weights" against that record
    Then the record is refused as changed, which is critical
    And the audit trail tells that verifying "weights" failed, as something critical

  @EX-2.1 @LO-1
  Scenario: one bit changed in device memory is found, and the report says where
    Given the worker has sealed a model of 3000001 bytes as "weights"
    When bit 6 of byte 2345678 of "weights" changes in device memory
    And the worker verifies "weights"
    Then "weights" is found changed in block 572 alone
    And the log tells that verifying "weights" failed in block 572
    And the audit trail tells that verifying "weights" failed in block 572, as something critical

  @CI-006
  Scenario: key material appears nowhere in the log, the audit trail or an error
    When the worker seals a model of 600001 bytes as "weights"
    And the worker verifies "weights"
    And bit 6 of byte 0 of "weights" changes in device memory
    And the worker verifies "weights"
    And the worker seals a model of 4096 bytes as "later"
    And the worker ends
    Then the log goes down to the level of traces
    And the name of the key is found in what was emitted
    And neither the token nor the key made of it is found in what was emitted, in any notation

  @MS-001 @EX-2.3 @VU-1
  Scenario: device addresses appear nowhere in serialized output
    When the worker seals a model of 600001 bytes as "weights"
    And the worker verifies "weights"
    And bit 6 of byte 0 of "weights" changes in device memory
    And the worker verifies "weights"
    And the worker ends
    Then the verity digest of "weights" is found in what was emitted
    And the device address of "weights" is not found in what was emitted, in any notation

  @FZ-1 @alone
  Scenario: a write to a frozen shard is refused by the device
    Given the worker has sealed a model of 600001 bytes as "weights"
    And the device's memory management unit freezes "weights"
    When other code in the process copies bytes over "weights"
    Then the driver refuses the copy
    And "weights" verifies
    When a kernel of other code in the process writes over "weights"
    Then the device refuses the write
    And verifying "weights" finds the device lost
    And the worker has stopped

  @CI-005
  Scenario: a shard sealed under another worker's key is refused
    Given another worker on the same device, with a key of its own
    And the other worker has sealed a model of 600001 bytes as "theirs"
    When the worker verifies "theirs"
    Then it is refused because the worker doesn't hold the key that it was sealed with
    And the other worker still verifies "theirs"
    And the audit trail tells that "theirs" was refused, and of nothing that was allocated or sealed
