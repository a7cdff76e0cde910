"""Submission: takes a campaign from its settings to finished runs, and resumes or cancels it.

Each act has two halves: a function that reads and decides, and returns a frozen plan that can be shown
(`SubmissionPlan`, `ResumePlan`, `CancelPlan`), and one that executes just that. How a submission works:
`plan_submission` looks at what must hold (`preconditions`, `preflight`), divides large steps into parts
(`division`), and chooses an executor (`executors`); `execute_submission` lets it prepare the runs
(`bps_process`) and submit them, on HTCondor as one campaign DAG, whose nodes between the runs call `nodes`.
Coadds whose visits have failed are left out of their part (`unfinished_visits`) until these are done, and what
was gathered from visits is made again with images that had failed (`outdated`).
When all has ended, `finish` summarises, writes the report and notifies: in the DAG's last node, or in the
foreground. After a failure `read_state` reads the state of everything that was submitted, `plan_resume`
decides how it goes on, what is made and can be left out is in `completed`, and what must be put right
before is a `Repair`; `plan_cancel` stops what is active. `output_collections` keeps Butler's collections of
a step in order, and `forecast` says beforehand what all of it will take. `apdb_hold` keeps campaigns from
filling an APDB while somebody changes it by hand.

Four places check, each something else:

- `apcampaign.bps.lint`: submit files alone, without a repository; yields findings;
- `preflight`: a campaign against repository, APDB and scheduler, before submission; reads only, yields
  findings;
- `preconditions`: what must hold at the moment of submission (nothing is active, no errors of the preflight,
  templates are there); refuses;
- `apcampaign.ordering.guards`: a prepared run, in time order and each association once; refuses.

`apcampaign.Campaign` is how all this is used from outside.
"""
